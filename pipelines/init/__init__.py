"""A first look at a customer's file: what it is, how it maps, what would come out."""
