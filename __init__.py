"""Syntagma: grammar-constrained generation.

JSON Schema, grammars and regular expressions are compiled into token automata, and with them language models are steered.
``compile`` makes a constraint of a source and a vocabulary; ``generate`` and ``extract`` are whole decoding.
"""

from __future__ import annotations

from .grammar.kernel_cache import set_up as _set_up_kernel_cache
from .grammar.kernel_saving import go_on_where_kernels_cannot_be_kept as _go_on_where_kernels_cannot_be_kept

_set_up_kernel_cache()  # before anything imports Numba
_go_on_where_kernels_cannot_be_kept()

from .automata import conformance as testing  # noqa: E402
from .automata.constraint import Constraint, Session  # noqa: E402
from .automata.lattice import HOLE, Gap, Hole, Lattice  # noqa: E402
from .automata.vocabulary import Vocabulary  # noqa: E402
from .engine import diffusion, residuals  # noqa: E402
from .engine.adaptive import CARS, ASAp  # noqa: E402
from .engine.auto import AutoSampler  # noqa: E402
from .engine.beam import Beam  # noqa: E402
from .engine.compile import compile  # noqa: A004, E402
from .engine.diffusion import diffuse  # noqa: E402
from .engine.extract import extract  # noqa: E402
from .engine.generate import generate  # noqa: E402
from .engine.infill import infill  # noqa: E402
from .engine.law import Law  # noqa: E402
from .engine.lookahead import Lookahead  # noqa: E402
from .engine.mcmc import MCMC  # noqa: E402
from .engine.residuals import Checked  # noqa: E402
from .engine.sampler import AWRS, CheckFirst, MaskSampler  # noqa: E402
from .engine.smc import SMC  # noqa: E402
from .grammar.cfg import Ebnf, Gbnf  # noqa: E402
from .grammar.choices import Choices  # noqa: E402
from .grammar.composition import Repeat, Sequence, Text, Union  # noqa: E402
from .grammar.errors import (  # noqa: E402
    BudgetTooSmall,
    InvalidSource,
    LimitExceeded,
    NoOutput,
    StaleState,
    SyntagmaError,
    TokenizerError,
    TokenizerWarning,
    Unsatisfiable,
    Unsupported,
    WriteFailed,
)
from .grammar.jsonschema import JsonSchema, SchemaLimits  # noqa: E402
from .grammar.lark import Lark  # noqa: E402
from .grammar.regex import Regex, RegularSource  # noqa: E402
from .grammar.source import Source  # noqa: E402
from .grammar.structural import AnyText, StructuralTag, Tag  # noqa: E402
from .grammar.tokens import Token  # noqa: E402

__version__ = "0.1.0"

__all__ = [
    "AWRS",
    "CARS",
    "HOLE",
    "MCMC",
    "SMC",
    "ASAp",
    "AnyText",
    "AutoSampler",
    "Beam",
    "BudgetTooSmall",
    "CheckFirst",
    "Checked",
    "Choices",
    "Constraint",
    "Ebnf",
    "Gap",
    "Gbnf",
    "Hole",
    "InvalidSource",
    "JsonSchema",
    "Lark",
    "Lattice",
    "Law",
    "LimitExceeded",
    "Lookahead",
    "MaskSampler",
    "NoOutput",
    "Regex",
    "RegularSource",
    "Repeat",
    "SchemaLimits",
    "Sequence",
    "Session",
    "Source",
    "StaleState",
    "StructuralTag",
    "SyntagmaError",
    "Tag",
    "Text",
    "Token",
    "TokenizerError",
    "TokenizerWarning",
    "Union",
    "Unsatisfiable",
    "Unsupported",
    "Vocabulary",
    "WriteFailed",
    "compile",
    "diffuse",
    "diffusion",
    "extract",
    "generate",
    "infill",
    "residuals",
    "testing",
]
