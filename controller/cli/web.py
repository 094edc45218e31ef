"""`hrsi web`, `hrsi token`: the HTTP API, and who may use it."""

from __future__ import annotations

from typing import Annotated

import typer

from controller import bootstrap, log
from controller.cli.jobs import require_done, tell_verdicts
from controller.cli.output import print_json, print_table, say
from controller.cli.session import (
    AsJson,
    DryRun,
    Lasts,
    Why,
    asked,
    examples,
    lasting,
    office,
    settings,
)
from models.access import Role
from models.errors import ConfigurationError

app = typer.Typer()
tokens = typer.Typer(no_args_is_help=True, help="Tokens for the HTTP API: create, list, revoke.")


@app.command(epilog=examples("hrsi web", "HRSI_WEB_ADDRESS=127.0.0.1:8088 hrsi web"))
def web(
    context: typer.Context,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log details, too.")] = False,
) -> None:
    """Serve the HTTP API until SIGTERM, Ctrl-C or the end of its terminal.

    Several may run at once; each works on the database alone. Programs on workers speak to it.
    """
    from web.serve import Identity, WebServer  # noqa: PLC0415  what serves is in the extra `web`

    log.configure(verbose=verbose)
    config = settings(context)
    certificate, key = config.web.certificate, config.web.certificate_key
    if (certificate is None) != (key is None):
        raise ConfigurationError(
            "web.certificate and web.certificate_key: only one of them is set; set both or none"
        )
    identity = Identity(certificate=certificate, key=key) if certificate and key else None
    with bootstrap.desk(config) as desk:
        server = WebServer(desk, config.web.address.host, config.web.address.port, identity)
        say(f"The API listens on {server.url}; it is described at {server.url}/api/v1/openapi.json")
        server.run()


@tokens.command(
    epilog=examples(
        'hrsi token create grafana --role viewer --reason "dashboards"',
        "hrsi token create ada --role admin --for 90d",
    )
)
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose it is; it stands in the audit trail.")],
    role: Annotated[Role, typer.Option(help="What it is good for.")] = Role.VIEWER,
    lasts: Lasts = None,
    reason: Why = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make a token and show it, this once: only its hash is kept."""
    with office(context) as desk:
        asking = asked(reason, dry_run=dry_run)
        made = desk.mint.make(name, role, asking, lasting(lasts))
    if as_json:
        print_json(made)
        require_done((made.verdict,))
        return
    tell_verdicts("created", (made.verdict,), as_json=False, dry_run=dry_run)
    if made.token is not None:
        say(made.token)


@tokens.command("list", epilog=examples("hrsi token list", "hrsi token list --json"))
def list_tokens(context: typer.Context, as_json: AsJson = False) -> None:
    """List the tokens, newest first; what they are nobody can say any more."""
    with office(context) as desk:
        found = desk.mint.all()
    if as_json:
        print_json(found)
        return
    rows = [(t.name, t.role, t.created_at, t.created_by, t.expires_at, t.revoked_at) for t in found]
    columns = ("name", "role", "created", "by", "expires", "revoked")
    print_table("Tokens", columns, rows)


@tokens.command(epilog=examples('hrsi token revoke ada --reason "she left"'))
def revoke(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Token names.")],
    reason: Why = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """End tokens at once."""
    with office(context) as desk:
        verdicts = desk.mint.revoke(tuple(names), asked(reason, dry_run=dry_run))
    tell_verdicts("revoked", verdicts, as_json=as_json, dry_run=dry_run)
