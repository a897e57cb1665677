"""record: the sample, requests and replies of a live run as a folder that later runs read."""
