# The three commands a newcomer needs. Everything else is in HACKING.md.
.PHONY: demo test bench soak
demo:
	@tools/bootstrap
	@tools/demo
test:
	@tools/bootstrap
	@tools/test
bench:
	@tools/bootstrap
	@tools/bench
# The simulator, for half an hour: tools/soak --help.
soak:
	@tools/bootstrap
	@tools/soak
