"""The far side: runs one attempt where the work is done. Knows the standard library, cloudpickle and `errors`."""
