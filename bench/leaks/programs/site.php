<?php
// A page of PHP's own server: what a request takes is given back at its end.
$rows = [];
for ($i = 0; $i < 3000; $i++) {
    $rows[] = ['id' => $i, 'name' => "row $i", 'at' => microtime(true)];
}
echo json_encode($rows);
