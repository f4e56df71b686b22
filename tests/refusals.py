"""What is refused before anything runs."""

from click.testing import Result


def assert_refused(done: Result, words: str) -> None:
    """Make sure that a command ended with one line that has some words, and that nothing ran."""
    assert done.exit_code == 1
    assert words in done.output
    assert "othing was run" in done.output
    assert done.output.splitlines()[-1].startswith("Error: ")
    assert "Running node" not in done.output
