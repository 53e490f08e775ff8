"""Press: what makes the pages of the site that nobody writes by hand (``docs/conf.py`` starts it).

A *page* is a file under ``docs/`` that Sphinx reads; its *name* is its path there, without suffix.
The *home* of a text is where it stands in the repository: ``CHANGELOG.md`` is the home of the page
``project/changelog``. Made pages are ignored by git.
"""
