"""The options of `fediomt train`, under the headings of its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fl_core.robust import DEFAULT_SHARE, RULES, SHARED
from fl_core.simulation import ATTACKS
from fl_core.updates import CompressionSpec
from incentives.suspicion import SuspicionSettings
from scripts.console.options import ATTACKERS, BYTES, DATA, DEFENCE, FEDERATION, PRIVACY, ROOT, TRAINING
from scripts.federation.rule_settings import SPREAD_SHARE
from scripts.federation.settings import DEFAULT_RECORD_CLIP, PUBLIC_TOP

Data = Annotated[
    str | None,
    typer.Option(
        help="Known data set: wdbc or har. Default wdbc, unless --csv is given.", rich_help_panel=DATA
    ),
]
Csv = Annotated[Path | None, typer.Option(help="A table of your own.", rich_help_panel=DATA)]
Label = Annotated[str | None, typer.Option(help="Label column of the table.", rich_help_panel=DATA)]
Group = Annotated[
    str | None,
    typer.Option(
        help="Column that names the patient. A patient's rows are for training, validation or test, at one "
        "hospital, and on one device.",
        rich_help_panel=DATA,
    ),
]
SplitPatients = Annotated[
    bool,
    typer.Option(
        "--split-patients",
        help="A patient may have several devices, all of one hospital: their rows are shared among them. Epsilons "
        "of such a person are shown too.",
        rich_help_panel=DATA,
    ),
]
Site = Annotated[
    str | None, typer.Option(help="Column that names the hospital of a row.", rich_help_panel=DATA)
]
Ranges = Annotated[
    Path | None,
    typer.Option(
        help="Declares the table's columns, their public ranges and the classes (JSON); needed for a table with "
        "noise, unless it has a --root-share.",
        rich_help_panel=DATA,
    ),
]
WriteRanges = Annotated[
    Path | None,
    typer.Option(
        "--write-ranges",
        help="Write a draft for --ranges from the table, for you to replace by what is public; train nothing.",
        rich_help_panel=DATA,
    ),
]
Alpha = Annotated[
    float,
    typer.Option(help="Dirichlet label skew over devices; inf for none.", rich_help_panel=DATA),
]
RootShare = Annotated[
    float,
    typer.Option(
        help="Share of the rows that the coordinator holds as its root set, 0.01 to 0.02 as a rule: public to all "
        "who take part, taken from those that validate, never trained on by a device.",
        rich_help_panel=ROOT,
    ),
]
Start = Annotated[
    str,
    typer.Option(
        help="First model: seed (drawn from the seed), or root (trained on the root set).",
        rich_help_panel=ROOT,
    ),
]
Projection = Annotated[
    int,
    typer.Option(
        metavar="DIRECTIONS",
        help="Train on so many directions, learnt from the root set, in place of all columns: fewer parameters, "
        "which noise hides less. 0 for none; har: 160, wdbc: 8.",
        rich_help_panel=ROOT,
    ),
]
Rule = Annotated[
    str | None,
    typer.Option(
        metavar="RULE",
        help=f"What combines the released sums into the next model: {', '.join(RULES)}.",
        show_default="fltrust with a --root-share, else mean",
        rich_help_panel=DEFENCE,
    ),
]
RuleShare = Annotated[
    float | None,
    typer.Option(
        help=f"Of the released sums, how many may be corrupted ({' and '.join(SHARED)}).",
        show_default=str(DEFAULT_SHARE),
        rich_help_panel=DEFENCE,
    ),
]
Attack = Annotated[
    str | None,
    typer.Option(
        metavar="ATTACK",
        help=f"Let some simulated devices attack: {', '.join(ATTACKS)}.",
        show_default="all are honest",
        rich_help_panel=ATTACKERS,
    ),
]
Attackers = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Share of the devices that attack, spread over the hospitals or at --malicious-hospital.",
        show_default=f"{SPREAD_SHARE}, all of a malicious hospital's",
        rich_help_panel=ATTACKERS,
    ),
]
MaliciousHospital = Annotated[
    int,
    typer.Option(
        metavar="ID", help="The hospital that all attackers are at; 0 for none.", rich_help_panel=ATTACKERS
    ),
]
Unclipped = Annotated[
    bool,
    typer.Option(
        "--unclipped",
        help="Attackers' software does not clip: they mask whatever is not refused. Otherwise the clip holds.",
        rich_help_panel=ATTACKERS,
    ),
]
Flippers = Annotated[
    int, typer.Option(help="Devices that train on flipped labels.", rich_help_panel=ATTACKERS)
]
FreeRiders = Annotated[int, typer.Option(help="Devices that send zeros.", rich_help_panel=ATTACKERS)]
Hospitals = Annotated[int, typer.Option(help="Hospitals.", rich_help_panel=FEDERATION)]
Devices = Annotated[int, typer.Option(help="Devices a hospital.", rich_help_panel=FEDERATION)]
Rounds = Annotated[int, typer.Option(help="Rounds.", rich_help_panel=FEDERATION)]
CohortSize = Annotated[int, typer.Option(help="Devices summed together.", rich_help_panel=FEDERATION)]
KMin = Annotated[int, typer.Option(help="Fewest devices whose sum may be seen.", rich_help_panel=FEDERATION)]
Dropout = Annotated[
    float, typer.Option(help="Probability that a device fails in a round.", rich_help_panel=FEDERATION)
]
Seed = Annotated[
    int, typer.Option(help="Seed of split, training and simulated faults.", rich_help_panel=FEDERATION)
]
Model = Annotated[str, typer.Option(help="logistic or mlp.", rich_help_panel=TRAINING)]
Hidden = Annotated[
    str | None,
    typer.Option(
        metavar="UNITS,...",
        help="Sizes of an mlp's hidden layers, such as 128,64.",
        show_default="16",
        rich_help_panel=TRAINING,
    ),
]
Epochs = Annotated[int, typer.Option(help="Local epochs.", rich_help_panel=TRAINING)]
LearningRate = Annotated[float, typer.Option(help="Local step size.", rich_help_panel=TRAINING)]
Momentum = Annotated[float, typer.Option(help="Of the local steps.", rich_help_panel=TRAINING)]
Proximal = Annotated[
    float,
    typer.Option(
        metavar="MU",
        help="Pull of local steps towards the round's model (FedProx).",
        rich_help_panel=TRAINING,
    ),
]
BatchSize = Annotated[int, typer.Option(help="Rows a local step.", rich_help_panel=TRAINING)]
Device = Annotated[
    str,
    typer.Option(
        metavar="cpu|cuda[:N]",
        help="Where the devices' training is computed. On a GPU the last bits differ from the CPU's.",
        rich_help_panel=TRAINING,
    ),
]
Threads = Annotated[
    int,
    typer.Option(
        help="Batches of devices that are trained at once; the model is the same.",
        rich_help_panel=TRAINING,
    ),
]
EdgeEpsilon = Annotated[
    float | None,
    typer.Option(
        "--edge-epsilon",
        help="The same towards a device's own hospital; more noise on the device.",
        show_default="8, or --epsilon where that is larger, if it costs no more noise",
        rich_help_panel=PRIVACY,
    ),
]
RecordEpsilon = Annotated[
    float | None,
    typer.Option(
        "--record-epsilon",
        help="Per-record DP-SGD on each device: differential privacy of one record, over all rounds and epochs.",
        show_default="off",
        rich_help_panel=PRIVACY,
    ),
]
RecordClip = Annotated[
    float | None,
    typer.Option(
        "--record-clip",
        help="Longest gradient of a record in it.",
        show_default=f"{DEFAULT_RECORD_CLIP:g}",
        rich_help_panel=PRIVACY,
    ),
]
Delta = Annotated[
    float | None,
    typer.Option(help="Of all epsilons.", show_default="min(1e-5, 1 / devices^2)", rich_help_panel=PRIVACY),
]
Clip = Annotated[
    float | None,
    typer.Option(
        help="Longest update of a device.", show_default="0.5, without noise 16", rich_help_panel=PRIVACY
    ),
]
Fraction = Annotated[
    float,
    typer.Option(help="Share of the parameters that a round's devices send.", rich_help_panel=BYTES),
]
PublicTop = Annotated[
    float | None,
    typer.Option(
        help="Share of those that are the largest of the last public update; the others are drawn at random.",
        show_default=str(PUBLIC_TOP),
        rich_help_panel=BYTES,
    ),
]
LinkClasses = Annotated[
    str | None,
    typer.Option(
        metavar="SHARE,...",
        help="Classes of links, fastest first, and the share of a round's parameters that each sends, such as "
        "1,0.5,0.25. Each hospital's devices are spread over them evenly.",
        show_default="1",
        rich_help_panel=BYTES,
    ),
]
Residual = Annotated[
    float | None,
    typer.Option(
        help="Error feedback: a device keeps what it did not send for its next round, up to so many clip norms. "
        "With 0 it is lost, and steps are smaller by the share that is sent.",
        show_default=str(CompressionSpec.residual_norm),
        rich_help_panel=BYTES,
    ),
]
Bits = Annotated[
    int | None,
    typer.Option(
        help="Bits of a number sent.",
        show_default="what is needed, without noise 32",
        rich_help_panel=BYTES,
    ),
]
Transcripts = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Keep a transcript of every secure sum, sealed to the auditor whose public key FILE is "
        "(`fediomt audit --new-key` makes one). Costs about as much disk as the devices send.",
        rich_help_panel=PRIVACY,
    ),
]
Quarantine = Annotated[
    bool,
    typer.Option(
        "--quarantine/--no-quarantine",
        help="Keep devices out for a while that are suspected of harm (profile accountable).",
        rich_help_panel=DEFENCE,
    ),
]
QuarantineAlpha = Annotated[
    float | None,
    typer.Option(
        help="Probability that any honest device is ever suspected, at most.",
        show_default=str(SuspicionSettings().alpha),
        rich_help_panel=DEFENCE,
    ),
]
QuarantineMargin = Annotated[
    float | None,
    typer.Option(
        help="How far behind the typical device counts as honest still, in deviations of single devices.",
        show_default=str(SuspicionSettings().margin),
        rich_help_panel=DEFENCE,
    ),
]
AlertWebhook = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Post each decision about a device as JSON to URL, beside the log in the run's folder.",
        rich_help_panel=DEFENCE,
    ),
]
NoChain = Annotated[bool, typer.Option("--no-chain", help="Work without a node; the record is the bundles.")]
Resume = Annotated[
    str | None, typer.Option(metavar="RUN", help="Go on with an interrupted run, with its own settings.")
]
