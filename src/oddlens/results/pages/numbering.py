"""Numbers of figures, tables and references."""


class Numbers:
    """Numbers in the order in which figures, tables and references appear.

    A page is rendered twice. The second rendering knows the numbers of the first, so that text can refer to figures and
    tables below it.
    """

    def __init__(self, known: dict[str, dict[str, int]] | None = None):
        self.known = known or {}
        self.assigned: dict[str, dict[str, int]] = {}

    def new(self, kind: str, name: str) -> int:
        """The number of a figure, table or reference that appears now; its earlier number if it appeared before."""
        return self.assigned.setdefault(kind, {}).setdefault(name, len(self.assigned.get(kind, {})) + 1)

    def of(self, kind: str, name: str) -> int | None:
        """The number in the first rendering; None if there is no such figure, table or reference."""
        return self.known.get(kind, {}).get(name)
