"""The words of the field as frozen values. This layer imports nothing of ours."""
