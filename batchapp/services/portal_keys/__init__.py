"""Make, rotate and revoke portal keys, and find the person who acts by one."""
