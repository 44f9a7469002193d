"""Which models and adapters are on this machine, are they sound, and how fast are they here?"""
