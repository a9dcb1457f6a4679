"""What happened, remembered as plain data: the record of a run, its history, the journal, the audience."""
