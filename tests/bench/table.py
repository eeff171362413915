"""The table of the bench: one row for each line, printed with columns as wide as they need to be."""
import sys

rows = []
notes = []
failed = False


def row(work, ours, line, holds, beside="", rclone=("", ""), requests="", verdict=None):
    """`holds`: whether the line holds; None: it says nothing here. `rclone`: as it comes, and tuned."""
    word = verdict or {True: "yes", False: "NO", None: "-"}[holds]
    rows.append((work, ours, beside, *rclone, line, word, requests))


def note(text):
    if text not in notes:
        notes.append(text)


class Part:
    """A part of the bench: a failure ends this part, not the others, and is a row of its own."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        print(f"... {self.name}", file=sys.stderr, flush=True)
        return self

    def __exit__(self, kind, error, trace):
        global failed
        if kind is None or not issubclass(kind, Exception):
            return False
        failed = True
        row(self.name, f"failed: {error}", "", False)
        return True


def show(title):
    head = ("work", "cabinetfs", "beside it", "rclone", "rclone, tuned", "line", "holds", "requests")
    used = [i for i in range(len(head)) if any(each[i] for each in rows)]
    table = [tuple(each[i] for i in used) for each in [head, *rows]]
    widths = [max(len(each[i]) for each in table) for i in range(len(used))]
    print(f"\n{title}")
    for each in [table[0], tuple("-" * width for width in widths), *table[1:]]:
        print("  ".join(text.ljust(width) for text, width in zip(each, widths)).rstrip())
    for text in notes:
        print(f"  {text}")
    sys.stdout.flush()
