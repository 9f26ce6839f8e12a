# Each target is one command of the project's own: see `cargo xtask --help`.
.PHONY: demo test ci setup fmt doc clean

demo: ## sign a model (MODEL=path, or one that is made), ingest it, refuse a changed one
	cargo xtask demo $(if $(MODEL),--model "$(MODEL)")

test: ## install what is missing and run all tests
	cargo xtask test

ci: ## every check that a change must pass
	cargo xtask ci

setup: ## install what is missing
	cargo xtask setup

fmt: ## lay out all source files
	cargo xtask fmt

doc: ## build the reference
	cargo xtask doc

clean: ## remove everything that was built
	cargo clean
