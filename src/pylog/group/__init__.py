"""Consumer groups without a coordinator process: members share a folder and agree through it."""
