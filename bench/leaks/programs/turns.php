<?php
// Programs in PHP that need no load: `turns.php KIND`, ten turns a second. `static` leaks.
ini_set('memory_limit', '900M');
mt_srand(7);

function remembered(string $key, array $rows): void
{
    static $all = [];
    $all[$key] = $rows;
}

for ($turn = 0; ; $turn++) {
    $rows = [];
    for ($i = 0; $i < mt_rand(50, 600); $i++) {
        $rows[] = ['id' => $i, 'text' => str_repeat("row $turn ", 4)];
    }
    if ($argv[1] === 'static') {
        remembered("request $turn", array_slice($rows, 0, 60));
    }
    if ($argv[1] === 'batch' && $turn % 80 === 79) { // a table of 20 MB that is given back
        $table = [];
        for ($i = 0; $i < 250000; $i++) {
            $table[] = "row $i of $turn";
        }
        sleep(3);
        unset($table);
    }
    usleep(mt_rand(20000, 180000));
}
