"""The command line: `hql [DB]` (the shell), `hql -c "…" [DB]`, `hql run FILE [DB]`,
`hql ingest PATH… DB`, `hql verify DB`, `… | hql [DB]`.

Results go to stdout, messages and progress to stderr. Exit codes: 0 done, 1 a statement failed,
2 the command line is wrong, 130 Ctrl-C. Everything heavy is imported after the arguments are read.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    import argparse

    from hartonomous.hql.dbapi import Connection

USAGE = """\
hql [DB]                          the shell; \\? there lists its commands
hql -c "SELECT 1" [DB]            run HQL text; --param n=5 gives it @n
hql run FILE [DB] [--param n=5]   run a script; GO on a line of its own ends a batch
hql ingest PATH… DB [--as TEXT]   files, folders and globs become atoms
hql verify DB [--cut-tail]        re-hash everything and name what was altered
hql serve DB [--port 7433]        let many clients use it at once, at hql://127.0.0.1:7433/
… | hql [DB]                      run what comes on standard input

DB is a folder, or a server's address: hql://user@host:7433/, hqls:// by TLS; HQL_PASSWORD or
HQL_TOKEN proves who comes. Without it (or as :memory:) nothing is kept on disk.
"""

DONE, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
FORMATS = ("table", "csv", "json", "arrow", "markdown")
KINDS = ("TEXT", "CODE", "IMAGE", "AUDIO", "VIDEO")
#: commands of other rooms: the module whose `main` gets the words after the command
ELSEWHERE = {"serve": "hartonomous.server.serve"}
#: new objects that may be garbage before the collector looks; importing makes ten thousands, none
#: of them garbage, and looking at them each 700 objects takes a tenth of `hql -c "SELECT 1"`
COLLECTED_OBJECTS_MIN = 50_000


class _WithoutFrames:
    """An import hook that hides pandas, which pyarrow imports where it is installed to ask whether
    values are its frames: a quarter of a second, and the shell has no data frames."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("the shell has no data frames", name=name)


def main(arguments: list[str] | None = None) -> int:
    """The `hql` command; gives the exit code."""
    if arguments is None:
        sys.meta_path.insert(0, _WithoutFrames())
    words = sys.argv[1:] if arguments is None else arguments
    try:
        return _dispatch(words)
    except Error as error:
        from hartonomous.hql.shell.faults import report

        report(error)
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # whoever read our output has seen enough; keep the interpreter from flushing into it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _dispatch(words: list[str]) -> int:
    if words and words[0] in ELSEWHERE:
        import importlib

        return int(importlib.import_module(ELSEWHERE[words[0]]).main(words[1:]))
    command = words[0] if words and words[0] in ("run", "ingest", "verify") else ""
    options = _parser(command).parse_args(words[1:] if command else words)
    if not getattr(options, "colours", True):
        os.environ["NO_COLOR"] = "1"  # what all that write in colours heed, pagers too
    if command == "verify":
        return verify(options)
    if command == "run":
        return run_file(options)
    if command == "ingest":
        return ingest(options)
    if options.commands is not None:
        return run_text("\nGO\n".join(options.commands), options)
    if sys.stdin is not None and not sys.stdin.isatty():
        return run_text(_piped(), options)
    return interact(options)


def _parser(command: str) -> argparse.ArgumentParser:
    import argparse

    parser = argparse.ArgumentParser(
        prog=f"hql {command}".strip(),
        usage=None if command else "hql [options] [-c TEXT] [DB]",
        epilog=None if command else USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if command == "verify":
        parser.add_argument("database", metavar="DB", help="the database's folder")
        parser.add_argument(
            "--cut-tail",
            action="store_true",
            help="cut a damaged end off the log: commits that stand in it are lost",
        )
        return parser
    if command == "ingest":
        parser.add_argument("paths", metavar="PATH", nargs="+", help="a file, folder or glob")
        parser.add_argument("database", metavar="DB", help="the database's folder")
        parser.add_argument("--as", dest="kind", type=str.upper, choices=KINDS, help="what it is")
        parser.add_argument("--format", choices=FORMATS, default="table", help="of the figures")
        parser.set_defaults(read_only=False, timeout=None, branch=None)
        return parser
    if command == "run":
        parser.add_argument("file", metavar="FILE", help="a script; - is standard input")
    else:
        parser.add_argument(
            "-c",
            dest="commands",
            action="append",
            metavar="TEXT",
            help="HQL to run; again for more, each a batch of its own",
        )
        parser.add_argument("-X", dest="startup", action="store_false", help="skip ~/.hqlrc")
        parser.add_argument("--version", action="version", version=_version())
    parser.add_argument(
        "database",
        metavar="DB",
        nargs="?",
        default=":memory:",
        help="a folder or a server's address",
    )
    parser.add_argument("--format", choices=FORMATS, default="table", help="how rows are written")
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter: a number, 'text', NULL, or bare text",
    )
    parser.add_argument("--no-color", dest="colours", action="store_false", help="no colours")
    parser.add_argument("--read-only", action="store_true", help="never take the writer's lock")
    parser.add_argument("--branch", metavar="NAME", help="the branch of history to work on")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        metavar="SECONDS",
        help="limit of each statement: 5, 1.5s, 200ms, 2min",
    )
    return parser


def _version() -> str:
    from importlib.metadata import version

    return f"hql {version('hartonomous')}"


def _seconds(text: str) -> float:
    """`5`, `1.5`, `5s`, `200ms`, `2min`."""
    import argparse

    units = {"ms": 0.001, "min": 60.0, "s": 1.0, "h": 3600.0}
    unit = next((u for u in units if text.endswith(u)), "")
    try:
        seconds = float(text.removesuffix(unit)) * units.get(unit, 1.0)
    except ValueError:
        seconds = -1.0
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time: 5, 1.5s, 200ms, 2min")
    return seconds


# --- running -------------------------------------------------------------------------------------


def run_text(text: str, options: argparse.Namespace) -> int:
    """Runs `text`, batch by batch (GO ends one), and writes what comes back."""
    return _run(text, options, _parameters(getattr(options, "param", [])))


def run_file(options: argparse.Namespace) -> int:
    """`hql run`: a script from a file."""
    if options.file == "-":
        return run_text(_piped(), options)
    try:
        data = Path(options.file).read_bytes()
    except OSError as fault:
        from hartonomous.hql.errors import FileFault

        reason = fault.strerror or str(fault)
        raise FileFault(f'"{options.file}" cannot be read: {reason}') from fault
    return run_text(_decoded(data, f'"{options.file}"'), options)


def _piped() -> str:
    """The text that comes on standard input."""
    return _decoded(sys.stdin.buffer.read(), "standard input")


def _decoded(data: bytes, source: str) -> str:
    """A text of HQL, which is UTF-8. Raises FileFault."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        from hartonomous.hql.errors import FileFault

        line = data.count(b"\n", 0, fault.start) + 1
        byte = data[fault.start]
        raise FileFault(
            f"{source} is not UTF-8: line {line} has the byte 0x{byte:02x}",
            hint="save it as UTF-8",
        ) from fault


def _run(text: str, options: argparse.Namespace, parameters: dict[str, Any] | None) -> int:
    gc.set_threshold(COLLECTED_OBJECTS_MIN)
    from hartonomous.hql.shell.faults import report
    from hartonomous.hql.shell.paint import has_colours
    from hartonomous.hql.shell.running import run_script

    with _connect(options) as connection:
        # What is there by now stays until the process ends, so the collector need not search it,
        # least of all at exit. The engine comes later: its bindings insist on being collected.
        gc.freeze()
        if "\\" in text or sys.stdout.isatty():
            return _run_as_typed(connection, text, options, parameters)
        try:
            run_script(connection, text, parameters, options.format, sys.stdout.buffer)
        except Error as error:
            report(error, text, colours=has_colours(sys.stderr))
            connection.rollback()
            return FAILED
        finally:
            sys.stdout.flush()
    return DONE


def _run_as_typed(
    connection: Connection,
    text: str,
    options: argparse.Namespace,
    parameters: dict[str, Any] | None,
) -> int:
    """Runs a text in which there may be backslash commands, or whose results a person sees."""
    from hartonomous.hql.shell.state import Settings, Shell

    shell = Shell(connection, Settings(format=options.format), parameters=parameters)
    file = getattr(options, "file", "-")
    shell.folder = None if file == "-" else Path(file).parent
    shell.is_from_stdin = file == "-" and getattr(options, "commands", None) is None
    try:
        is_done = shell.enter(text) and shell.send()
    finally:
        shell.close()
        sys.stdout.flush()
    if shell.was_interrupted:
        return INTERRUPTED
    return DONE if is_done else FAILED


def _connect(options: argparse.Namespace) -> Connection:
    from hartonomous.hql import connect
    from hartonomous.hql.opening import Options, is_url

    given: Options = {
        "read_only": options.read_only,
        "timeout": options.timeout,
        "branch": options.branch,
    }
    if is_url(options.database):
        from hartonomous.hql.shell.log_in import connect_to_server

        return connect_to_server(options.database, **given)
    return connect(options.database, **given)


def _parameters(pairs: list[str]) -> dict[str, Any] | None:
    """`name=value` words as parameters."""
    if not pairs:
        return None
    from hartonomous.hql.errors import ParameterFault

    parameters: dict[str, Any] = {}
    for pair in pairs:
        name, mark, value = pair.partition("=")
        if not mark or not name.strip(" @"):
            raise ParameterFault(f'--param "{pair}" is not NAME=VALUE')
        parameters[name.strip().lstrip("@")] = _constant(value)
    return parameters


def _constant(text: str) -> Any:
    """A parameter's value: number, quoted text, NULL; anything else is text as it stands."""
    from decimal import Decimal, InvalidOperation

    if text.upper() == "NULL":
        return None
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if not text.isascii() or "_" in text:  # Python would read numbers in `٣` and `1_000`
        return text
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite():
        return text
    return float(text) if "e" in text.lower() else number


# --- the shell -----------------------------------------------------------------------------------


def interact(options: argparse.Namespace) -> int:
    """`hql [DB]` on a terminal."""
    from hartonomous.hql.shell.repl import run_shell

    gc.set_threshold(COLLECTED_OBJECTS_MIN)
    parameters = _parameters(options.param)
    run_shell(_connect(options), options.format, parameters, startup=options.startup)
    return DONE


# --- ingest --------------------------------------------------------------------------------------


def ingest(options: argparse.Namespace) -> int:
    """`hql ingest`: one INGEST for each path, in their order; its figures go to stdout."""
    from hartonomous.hql.shell.running import run_script

    text = "INGEST @path" if options.kind is None else f"INGEST @path AS {options.kind}"
    with _connect(options) as connection:
        for path in options.paths:
            run_script(connection, text, {"path": path}, options.format, sys.stdout.buffer)
    return DONE


# --- verify --------------------------------------------------------------------------------------


def verify(options: argparse.Namespace) -> int:
    """`hql verify`: problems, one a line; 1 if there are any."""
    from hartonomous.hql.shell.verify import verify_folder

    return verify_folder(Path(options.database), cut_tail=options.cut_tail)


if __name__ == "__main__":
    sys.exit(main())
