"""The one type that the tests name: `docker.models.containers.Container`."""


class containers:  # noqa: N801 - the published name of a module
    class Container:
        """A container: here a process or a folder."""
