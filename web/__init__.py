"""The page as a package: what `make web` built in `dist` travels with the wheel, so nobody who runs a city needs Node."""
