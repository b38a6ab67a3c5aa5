"""The command line: `hql`."""
