"""One folder per technology, each answering ports. Only `wiring` names them."""
