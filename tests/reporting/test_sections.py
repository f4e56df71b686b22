from leukoscope.reporting.sections import read_sections

PAGE = """
<details><summary><h2>How far</h2></summary><section id="trust"><p>to trust it</p>
<svg><g><text>words of a plot</text></g></svg><script>code()</script>
<section aria-label="inside"><p>and why.</p></section></section></details>
<h2>no anchor</h2><p>lost</p>
<details><summary><h2>Audit</h2></summary>
<section id="audit"><style>p {}</style> <p>a <b>ladder</b></p></section></details>
"""


def test_sections_have_their_headings_and_words_plots_and_code_aside():
    sections = read_sections(PAGE)
    assert sections == {"trust": "How far to trust it and why.", "audit": "Audit a ladder"}
