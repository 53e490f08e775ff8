"""App: the what-if page, a server of this machine that keeps nothing of what its users do.

`handler` is what a pane of the page asks, `work` runs it in processes that can be ended, `guard`
looks at every request before it is read, `server` joins them. `draw`, `know`, `ask`, `imagine` and
`table` are the panes; the page itself, plain modules without a build step, lies in ``page/``.
"""
