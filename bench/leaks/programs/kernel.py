"""An IPython kernel that executes cells: `kernel.py quiet|outputs`. What a cell shows is kept as Out[n]: `outputs` leaks."""
import random, sys, time
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel()
for n in range(10**9):
    client.execute(f"rows = [{{'id': i, 'text': f'row {{i * {n}}}'}} for i in range({random.randrange(500, 3000)})]\n"
                   + ("rows" if sys.argv[1] == "outputs" else "total = sum(len(row['text']) for row in rows)"), store_history=True)
    client.get_shell_msg(timeout=60)
    while client.iopub_channel.msg_ready():
        client.get_iopub_msg()
    time.sleep(random.expovariate(1.2))
