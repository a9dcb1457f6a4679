"""How plans, reports and errors look: an outline as text and as a page, and numbers and names as people read them."""
