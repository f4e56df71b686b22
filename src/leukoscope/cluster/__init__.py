"""The connection to a Dask cluster: nothing of it is imported unless somebody asks for one."""
