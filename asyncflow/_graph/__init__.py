"""What plans and reports both do with graphs: arithmetic on points and arrows, and the words of WfFormat."""
