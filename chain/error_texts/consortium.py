"""What the errors of Consortium mean, and what to do."""

from __future__ import annotations

CONSORTIUM_TEXTS = {
    "ZeroAddress()": "an address is zero: give the address that is meant",
    "InvalidCapacity(uint16)": "capacity {capacity_bps} is not 1..10000 basis points: give one that is",
    "TooManyHospitals(uint256)": "all {maximum} hospital ids are taken: nobody else can be admitted",
    "AccountInUse(address,uint16)": (
        "{account} acts or once acted for hospital {hospital}: use an account that never acted"
    ),
    "TooManyAccounts(uint16)": (
        "hospital {hospital} has had all the accounts that one may have: it goes on with the present one"
    ),
    "NotHospital(address)": "{caller} acts for no hospital: send with an admitted hospital's key",
    "UnknownHospital(uint16)": "there is no hospital {hospital}: list them with `fediomt ledger hospital`",
    "WrongStatus(uint16,uint8)": (
        "hospital {hospital} is {actual:hospital_status}, which does not allow this: bring it "
        "into the right status first (admitted hospitals post their bond)"
    ),
    "BondLocked(uint16,uint64)": (
        "the bond of hospital {hospital} is locked (released {release_at:time}): leave the "
        "consortium and wait until then"
    ),
    "NoBond(uint16)": "hospital {hospital} has no bond left: there is nothing to withdraw",
    "NotPendingAccount(uint16,address)": (
        "hospital {hospital} did not propose {caller} as its next account: have its present account propose it"
    ),
    "BondComplete(uint16)": "the bond of hospital {hospital} is whole: there is nothing to top up",
    "BondShort(uint16,uint256)": (
        "the bond of hospital {hospital} is {missing:tokens} short: it tops up first, `fediomt consortium bond`"
    ),
    "LastActiveHospital(uint16)": (
        "hospital {hospital} is the last active one, without which nobody could govern: reinstate another first"
    ),
    "TransferNotExact(uint256,uint256)": (
        "the settlement token moved {received} of {asked} smallest units: tokens that charge on transfer are refused"
    ),
    "NoSlashRecipient()": (
        "where slashed bonds go is not fixed yet: governance fixes it with setSlashRecipient"
    ),
    "InvalidSlashRecipient(address)": (
        "slashed bonds cannot go to {recipient}: give the reserve from which tokens are cashed out"
    ),
    "SlashRecipientFixed(address)": "slashed bonds go to {recipient}, which is fixed for good",
    "NotGuardian(address)": "{caller} is not the guardian: only the guardian pauses claims",
    "PauseCoolingDown(uint64)": "claims cannot be paused again before {until:time}: wait for the cool-down",
    "NotPaused()": "claims are not paused: there is nothing to lift",
    "ZeroDuration()": "a duration is zero, which only local chains (31337, 1337) allow: give real durations",
}
