from leukoscope.reporting.sections import read_sections

PAGE = """
<h2 id="trust">How far</h2><p>to trust it</p>
<svg><g><text>words of a plot</text></g></svg><script>code()</script>
<p>and why.</p>
<h2>no anchor</h2><p>lost</p>
<h2 id="audit">Audit</h2><style>p {}</style> <p>a <b>ladder</b></p>
"""


def test_sections_have_the_words_below_their_headings_plots_and_code_aside():
    sections = read_sections(PAGE)
    assert sections["trust"] == "How far to trust it and why."
    assert sections["audit"] == "Audit a ladder"
    assert set(sections) == {"trust", "", "audit"}
