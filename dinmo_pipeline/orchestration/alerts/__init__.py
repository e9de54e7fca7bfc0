"""Which activations are in trouble, and the messages about it, to chats and mailboxes."""
