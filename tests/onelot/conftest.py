"""The city that the tests of the doors share."""

from tests.onelot.town import running_city as running_city
