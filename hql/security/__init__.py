"""Who may do what: accounts and roles, rights, row policies, tokens, the audit, files within reach.

    rights.py      the rights that there are, and what holds which
    directory.py   users, roles, grants, policies and tokens as the database keeps them
    passwords.py   hashes of passwords and tokens
    accounts.py    Accounts: who proves to be whom; Account: what one may
    changing.py    what CREATE USER, GRANT and their kin do
    checking.py    what a statement asks before it runs
    visible.py     the catalog that an account sees
    policies.py    the rows that an account sees
    files.py       the folders that a session's statements read and write
    audit.py       the log of all this

A session without an account is not restricted: whoever can open the folder has all of it anyway.
"""
