"""approve: a proposed taxonomy becomes the approved one."""
