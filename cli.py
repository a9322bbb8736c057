"""The command line: ``syntagma generate | extract | infill | check | explain | warmup | demo``."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from . import __version__
from .grammar.errors import FULL, InvalidSource, SyntagmaError, WriteFailed
from .integrations.console import complain, drop_standard_output, load_model, progress_bar, read_request
from .integrations.methods import MethodName, read_method
from .integrations.options import Looks, Reading, SpacedLooks, Wanted, grouped
from .integrations.report import print_report, report_data

if TYPE_CHECKING:
    from .integrations.demo import Outcome

# Heavy modules (Numba, torch, transformers) are imported inside the commands, so that --help is instant.

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,  # an unexpected error is a bug, and its plain traceback is what a report needs
    help="Text from a language model that is valid by construction.\n\n"
    "A JSON Schema is compiled into an automaton over the model's tokens; at every step only tokens are allowed "
    "after which a valid text can still be finished within the token budget. The output always parses, always "
    "validates, and is never cut off.\n\n"
    "[bold]First steps[/bold]\n\n"
    "  syntagma demo\n\n"
    "  syntagma check schema.json\n\n"
    "  syntagma extract --schema schema.json docs.jsonl -o rows.jsonl\n\n"
    "Without --model, the small embedded model SmolLM2-135M-Instruct is used: one CPU core, no network.",
)

out = Console()
err = Console(stderr=True)


SchemaOption = Annotated[
    Path, typer.Option("--schema", "-s", exists=True, dir_okay=False, help="File with a JSON Schema.")
]
ModelOption = Annotated[
    str, typer.Option("--model", "-m", help='"smollm2", or a folder with a causal model of transformers.')
]
TokensOption = Annotated[
    int, typer.Option("--max-tokens", min=0, help="Never exceeded; the output is complete all the same.")
]
TemperatureOption = Annotated[float, typer.Option(min=0.0, help="0 takes the most likely allowed token.")]
_WEIGHED = "Weighing whole outputs"
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of the draws, for temperatures above 0.")]
BatchOption = Annotated[int, typer.Option(min=1, help="Documents decoded together.")]


def _print_version(asked: bool) -> None:
    if asked:
        out.print(__version__)
        raise typer.Exit


@app.callback()
def _main(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Options that stand before the command."""


@app.command()
@grouped
def generate(
    wanted: Wanted,
    prompt: Annotated[str | None, typer.Option("--prompt", "-p", help="The request; standard input if absent.")] = None,
    model: ModelOption = "smollm2",
    max_tokens: TokensOption = 512,
    temperature: Annotated[
        float | None,
        typer.Option(min=0.0, help="0 takes the most likely allowed token; by default 0, and 1 with a method."),
    ] = None,
    seed: SeedOption = 0,
    raw: Annotated[
        bool, typer.Option("--raw", help="Continue the prompt as it stands, without a chat template.")
    ] = False,
    *,
    method: Annotated[
        MethodName,
        typer.Option(
            "--method",
            help="masked: one text, step by step. smc, awrs-smc: several, weighed, so that the constraint does not distort "
            "the model's law; awrs-smc checks tokens instead of taking masks.",
            rich_help_panel=_WEIGHED,
        ),
    ] = MethodName.masked,
    particles: Annotated[
        int | None,
        typer.Option("--particles", min=1, help="Texts that are grown side by side: 5.", rich_help_panel=_WEIGHED),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            "--check",
            exists=True,
            dir_okay=False,
            help="Python file with check(text) or check(text, complete): true if the text is alright. It is run.",
            rich_help_panel=_WEIGHED,
        ),
    ] = None,
    reading: Reading,
    looks: SpacedLooks,
) -> None:
    """Generate one text of a schema, a grammar, a regular expression or a list, and print it as it comes.

    [bold]Examples[/bold]

      syntagma generate --schema person.json --prompt "Invent a character for a novel."

      echo "Name three rivers in Europe." | syntagma generate -s rivers.json --temperature 0.8 --seed 7

      syntagma generate -s person.json -p "Invent a person." --whitespace 2 --max-digits 9,2

      syntagma generate --grammar sql.lark -p "How many orders came in May?" --max-tokens 80

      syntagma generate --regex "[0-9]{4}-[0-9]{2}-[0-9]{2}" -p "When did Ada Lovelace die?"

      syntagma generate -s trip.json -p "Plan a trip." --method awrs-smc --particles 5 --check dates.py
    """
    from .engine.compile import compile as compile_source
    from .engine.generate import generate as generate_whole
    from .engine.generate import stream

    text = read_request(prompt)
    source = wanted.source(reading, looks)
    how = read_method(method, particles, check)
    language_model = load_model(model, err)
    constraint = compile_source(source, language_model.vocab)
    chat = [{"role": "user", "content": text}]
    pieces: Iterable[str]
    if how is None:
        pieces = stream(
            language_model,
            text if raw else chat,
            constraint,
            max_new_tokens=max_tokens,
            temperature=0.0 if temperature is None else temperature,
            seed=seed,
        )
    else:
        generation = generate_whole(
            language_model,
            text if raw else chat,
            constraint,
            max_new_tokens=max_tokens,
            temperature=1.0 if temperature is None else temperature,
            seed=seed,
            method=how,
        )
        pieces = [generation.text]
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")


@app.command()
@grouped
def extract(
    documents: Annotated[
        list[Path],
        typer.Argument(exists=True, dir_okay=False, help='.jsonl files with a "text" a line, or text files.'),
    ],
    *,
    schema: SchemaOption,
    output: Annotated[Path, typer.Option("--output", "-o", dir_okay=False, help="JSONL file; grows row by row.")],
    model: ModelOption = "smollm2",
    max_tokens: TokensOption = 512,
    instructions: Annotated[str | None, typer.Option(help="What to extract, in words.")] = None,
    examples: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help='JSONL file of worked examples: {"text": ..., "data": ...}.'),
    ] = None,
    temperature: TemperatureOption = 0.0,
    seed: SeedOption = 0,
    batch_size: BatchOption = 8,
    retry_errors: Annotated[bool, typer.Option("--retry-errors", help="Do failed rows of the output again.")] = False,
    looks: Looks,
) -> None:
    """Extract one record from each document, valid by the schema, as JSON lines.

    Each row of the output is {"id": ..., "data": ...}, or {"id": ..., "error": ...} where a document
    could not be done; the others go on. Run the same command again after an interruption: rows that the
    output holds already are skipped.

    [bold]Examples[/bold]

      syntagma extract --schema invoice.json invoices.jsonl -o rows.jsonl

      syntagma extract -s ad.json ads/*.txt -o ads.jsonl --examples worked.jsonl --batch-size 16
    """
    from .engine.extract import Extractor
    from .integrations.batch import Output, extract_rows, read_documents, read_examples

    source = looks.schema(schema, "compact")  # a row is one line
    if output.exists() and any(output.samefile(path) for path in documents):
        raise InvalidSource("the file is one of the documents", where=str(output), hint="choose another output file")
    rows = read_documents(documents)
    worked = () if examples is None else read_examples(examples)
    target = Output(output, retry_errors=retry_errors)
    todo = [row for row in rows if row.id not in target.done]
    if len(todo) < len(rows):
        err.print(Text(f"{len(rows) - len(todo)} of {len(rows)} rows are in {output} already"))
    failed = 0
    try:
        if todo:
            extractor = Extractor(load_model(model, err), source, instructions=instructions, examples=worked)
            with progress_bar(err) as progress:
                bar = progress.add_task("extracting", total=len(rows), completed=len(rows) - len(todo))
                for row in extract_rows(
                    extractor,
                    todo,
                    max_new_tokens=max_tokens,
                    temperature=temperature,
                    seed=seed,
                    batch_size=batch_size,
                ):
                    target.write(row)
                    failed += row.error is not None
                    progress.advance(bar)
    finally:
        target.close()
    err.print(Text(f"{len(todo) - failed} rows written to {output}" + (f", {failed} failed" if failed else "")))
    if failed:
        raise typer.Exit(1)


@app.command()
def infill(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Text with a mark for each hole.")],
    grammar: Annotated[
        str, typer.Option("--grammar", "-g", help='"python", or a file with a Lark grammar that is LALR(1).')
    ],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", dir_okay=False, help="Where to write; standard output if absent.")
    ] = None,
    hole: Annotated[str, typer.Option("--hole", help="What stands for a hole.")] = "<HOLE>",
    model: ModelOption = "smollm2",
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=0, help="Of each hole; never exceeded.")] = 48,
    temperature: TemperatureOption = 0.0,
    seed: SeedOption = 0,
    start: Annotated[str | None, typer.Option("--start", help="The rule that texts are made of.")] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check/--no-check",
            help="Python: its own parser (ast.parse), which is stricter, has to take the text too.",
        ),
    ] = True,
) -> None:
    """Fill the holes of a text, so that the whole is accepted by a grammar: what stands on the right counts as well.

    Holes are filled from left to right by the model. The text always parses, whatever the model would like to
    write: at every step a way to the text on the right is known. Python that was written by --grammar python is
    parsed by Python itself as well, unless --no-check or --start is given.

    [bold]Examples[/bold]

      syntagma infill --grammar python draft.py

      syntagma infill -g python draft.py -o done.py --max-tokens 24 --temperature 0.7

      syntagma infill -g query.lark query.txt --hole "???"
    """
    from .engine.compile import compile as compile_source
    from .engine.infill import infill as fill
    from .engine.infill import split_holes
    from .integrations.languages import check_of, language
    from .integrations.options import read_text
    from .integrations.writing import replace_content

    if output is not None and not output.parent.is_dir():
        raise InvalidSource("there is no such folder", where=str(output.parent))
    parts = split_holes(read_text(file, newline=""), hole)  # its line ends are kept
    source = language(grammar, start=start)
    language_model = load_model(model, err)
    with err.status("compiling the grammar"):
        constraint = compile_source(source, language_model.vocab)
    with err.status(f"filling {len(parts) - 1} holes"):
        done = fill(
            language_model,
            parts,
            constraint,
            max_new_tokens=max_tokens,
            temperature=temperature,
            seed=seed,
            check=check_of(grammar) if check and start is None else None,
        )
    if output is None:
        sys.stdout.write(done.text)
    else:
        replace_content(output, done.text.encode())
    err.print(
        f"{len(done.fills)} holes, {sum(map(len, done.tokens))} tokens, {done.n_forward} calls of the model in "
        f"{done.model_seconds:.1f} s; constraint {done.constraint_seconds:.1f} s, {done.n_searches} searches"
    )


@app.command()
@grouped
def check(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="File with a JSON Schema or a grammar (see --kind).")
    ],
    every: Annotated[bool, typer.Option("--all", help="List the exact keywords and annotations as well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    *,
    reading: Reading,
    looks: SpacedLooks,
) -> None:
    """Say what is guaranteed of each keyword of a schema or rule of a grammar; nothing is ignored in silence.

    exact: enforced as it stands. narrowed: enforced, but some valid values cannot be produced. residual:
    checked when the value closes. annotation: asserts nothing. refused: not supported.

    Exit status: 0 if all of it is exact, 1 if something is weaker, 2 if something is refused or invalid.
    Keywords and formats that are not known assert nothing, so they are listed and do not count.

    [bold]Examples[/bold]

      syntagma check schema.json

      syntagma check schema.json --all

      syntagma check schema.json --json | jq .sound

      syntagma check schema.json --whitespace 2 --max-depth 8

      syntagma check sql.lark --start query --lexer scannerless
    """
    # Widened, so that the report of a schema lists everything that is refused and not only the first of it.
    report = reading.source(file, looks, widen=True).lower().report
    counts = Counter(entry.status for entry in report.entries)
    if as_json:
        sys.stdout.write(json.dumps(report_data(report), indent=2, ensure_ascii=False) + "\n")
    else:
        print_report(out, report, counts, every=every)
    if counts["refused"]:
        raise typer.Exit(2)
    if counts["narrowed"] or counts["residual"] or not (report.sound and report.complete and report.live):
        raise typer.Exit(1)


@app.command()
@grouped
def explain(
    wanted: Wanted,
    text: Annotated[str, typer.Option("--text", "-t", help="The text so far.")] = "",
    following: Annotated[str | None, typer.Option("--next", "-n", help="Text that is to come next.")] = None,
    token: Annotated[
        int | None, typer.Option(help="Token id that is to come next, in --tokenizer's numbering.")
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="tokenizer.json, .gguf, SentencePiece .model, tekken.json, or a folder with one.")
    ] = None,
    tokens: Annotated[
        str | None,
        typer.Option(help="Token ids so far, such as 7,151667, in --tokenizer's numbering; in the place of --text."),
    ] = None,
    *,
    reading: Reading,
    looks: SpacedLooks,
) -> None:
    """Say what may come after a text, or why a continuation is not allowed, in terms of your schema or grammar.

    Exit status: 0 if the text (and what is to come next) is allowed, 1 if not.

    [bold]Examples[/bold]

      syntagma explain --schema person.json --text '{"age":'

      syntagma explain --schema person.json --text '{"age":' --next '"forty'

      syntagma explain --schema person.json --text '{"age":' --token 1035 --tokenizer tokenizer.json

      syntagma explain --grammar sql.lark --text 'SELECT '

      syntagma explain --grammar think.gbnf --tokens 151667,1035 --tokenizer tokenizer.json
    """
    from .automata.vocabulary import Vocabulary
    from .engine.compile import compile as compile_source
    from .integrations.explaining import explain_prefix, explain_situation, explain_tokens, over_bytes, token_ids

    if token is not None and following is not None:
        raise InvalidSource("--token and --next exclude each other", where="--token")
    for name, given in (("--token", token), ("--tokens", tokens)):
        if given is not None and tokenizer is None:
            raise InvalidSource("a token id means nothing without its tokenizer", where=name, hint="pass --tokenizer")
    source = wanted.source(reading, looks)
    if tokens is not None:
        if text or following is not None:
            raise InvalidSource("--tokens is in the place of --text and --next", where="--tokens")
        constraint = compile_source(source, Vocabulary.from_tokenizer(tokenizer))
        if not explain_tokens(out, constraint, token_ids(tokens), token):
            raise typer.Exit(1)
        return
    reader, first = over_bytes(source)
    before = text.encode("utf-8", "surrogateescape")  # as arguments keep bytes that are no text
    whole = before + (following or "").encode("utf-8", "surrogateescape")
    if not explain_prefix(out, reader, whole, len(before), first):
        raise typer.Exit(1)
    if token is None:
        explain_situation(out, reader, whole, first)
        return
    constraint = compile_source(source, Vocabulary.from_tokenizer(tokenizer))
    with constraint.session() as session:
        verdict = session.explain(
            session.advance_bytes(session.start, whole), token, before.decode("utf-8", "backslashreplace")
        )
    out.print(Text(str(verdict)))
    if not verdict.allowed:
        raise typer.Exit(1)


@app.command()
def warmup(model: Annotated[bool, typer.Option(help="Convert the embedded model as well.")] = True) -> None:
    """Compile the kernels and convert the embedded model now, so that the first real call need not.

    Both lie in caches on disk afterwards. Run it when an image is built, or before a measurement.
    """
    from .integrations import smollm2
    from .integrations.warming import compile_kernels

    began = perf_counter()
    with err.status("compiling kernels (two minutes the first time)"):
        compile_kernels()
    out.print(f"kernels: {perf_counter() - began:.1f} s")
    if model and smollm2.is_available():
        began = perf_counter()
        _ = load_model("smollm2", err).vocab.trie
        out.print(Text(f"model: {perf_counter() - began:.1f} s, in {smollm2.converted_path()}"))
    elif model:
        out.print(Text(f"model: not installed ({smollm2.INSTALL})"))


@app.command()
def demo(
    documents: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder with NN.txt, schema.json, key.jsonl.")
    ] = None,
    model: ModelOption = "smollm2",
    batch_size: BatchOption = 8,
) -> None:
    """Extract records from 24 job ads with a real model, with the constraint and without it.

    Both runs have the same prompts, the same token budget and greedy decoding; every output is judged by
    the package jsonschema and compared with answers written by hand. Takes two minutes on one core.
    Exit status 1 if a constrained record does not validate.
    """
    from .integrations.demo import DOCUMENTS, Demo
    from .integrations.demo_table import print_outcomes
    from .integrations.warming import compile_languages, compiling_automata

    def decoded(*, constrained: bool) -> list[Outcome]:
        with progress_bar(err) as progress:
            bar = progress.add_task("with the constraint" if constrained else "without", total=len(demonstration.texts))
            outcomes = []
            for outcome in demonstration.run(constrained=constrained, batch_size=batch_size):
                outcomes.append(outcome)
                progress.advance(bar)
        return outcomes

    with compiling_automata() as automata_compiled:  # on the other core, while what needs no kernels is done here
        demonstration = Demo(load_model(model, err), documents or DOCUMENTS)
        free = decoded(constrained=False)
        with err.status("compiling kernels (a minute the first time)"):
            compile_languages()
            automata_compiled()
            demonstration.warm_up()
    kept = decoded(constrained=True)
    print_outcomes(out, kept, free, batch_size)
    if not all(a.valid for a in kept):
        raise typer.Exit(1)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; a deliberate error is one message on standard error and exit status 2."""
    try:
        try:
            app(args=None if arguments is None else list(arguments), prog_name="syntagma")
        finally:
            sys.stdout.flush()  # here and not at the interpreter's end, where an error has no status
    except SyntagmaError as error:
        complain(err, error)
    except BrokenPipeError:
        drop_standard_output()
        sys.exit(1)  # whoever reads has enough, as in a pipe to `head`
    except OSError as error:
        if error.errno not in FULL:
            raise
        drop_standard_output()
        complain(err, WriteFailed.of(error, error.filename or "standard output"))
    sys.exit(2)  # a run without such an error has left by an exit of its own
