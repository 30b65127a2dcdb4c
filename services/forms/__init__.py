"""Forms: what a person is asked, judged by the server alone."""
