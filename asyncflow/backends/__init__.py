"""The backends that come with asyncflow. They are found by entry point, like anybody's; nothing here is special."""
