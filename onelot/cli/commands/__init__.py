"""What people type, one file a subject; `onelot/cli/main.py` names them all."""
