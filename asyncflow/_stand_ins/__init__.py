"""What stands in for results where nothing runs: values of annotated types, and opaque objects that let code go on."""
