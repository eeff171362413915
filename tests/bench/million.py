"""The lines that no vendor has a part in: a million entries known."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

import table

full = os.environ["size"] == "full"
with table.Part("million"):
    stores = tempfile.mkdtemp(prefix="cabinetfs-million.")
    try:
        for name in ("cache", "staged"):
            os.mkdir(os.path.join(stores, name))
        made = subprocess.run(["bench-million", stores, "1000" if full else "50", "1000"], check=True, capture_output=True, timeout=300)
        out = json.loads(made.stdout)
    finally:
        shutil.rmtree(stores)
    table.row(f"{out['entries']} entries known: memory", f"{out['resident_mib']} MiB", "at most 300 MB", out["resident_mib"] <= 286 if full else None)
    table.row(f"{out['entries']} entries known: ready again", f"{out['ready_ms']} ms", "at most 1 s", out["ready_ms"] <= 1000 if full else None)
table.show("Any vendor: the tree and its store, with a server made up in memory")
sys.exit(1 if table.failed else 0)
