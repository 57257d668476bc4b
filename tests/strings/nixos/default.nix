{ nodes.a = { }; }
