"""The material of the papers on verifiers: labelled attempts, trained verifiers, solutions to choose among."""
