"""The layouts of public data sets, a file each: whatever registers itself here can be asked for by its name."""
