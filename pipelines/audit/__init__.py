"""The audits that take more than one training: seeds and shortcuts."""
