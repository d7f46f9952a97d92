# The three commands a newcomer needs. Everything else is in HACKING.md.
.PHONY: demo test bench
demo:
	@tools/bootstrap
	@tools/demo
test:
	@tools/bootstrap
	@tools/test
bench:
	@tools/bootstrap
	@tools/bench
