"""For authors and teachers: build, validate and grade labs, and the command line. Nothing else imports this package."""

import sys

# jsonschema, which nbformat needs, looks for an optional grammar of international web addresses that takes a second to
# build whenever a tool starts; no notebook holds an address of that kind where the schema looks.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
