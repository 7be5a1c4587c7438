"""What the command line owes its user to say."""

ACCOUNTABLE_NOTE = (
    "Profile accountable, differential privacy off: nobody sees a single device's update, only sums over cohorts; "
    "but over about as many rounds as a cohort has members, mean updates can be reconstructed from the sums."
)
