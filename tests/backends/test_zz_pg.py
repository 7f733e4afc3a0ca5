import subprocess, sys
def test_it(postgres_url):
    for noun in ("streams", "faults", "commit"):
        done = subprocess.run([sys.executable, "-m", "perdure_compat", postgres_url, "--only", noun], capture_output=True, text=True, timeout=200)
        print(noun, done.stdout[-700:], done.stderr[-300:])
