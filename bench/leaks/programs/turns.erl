%% Programs in Erlang that need no load: `turns KIND`, 20 turns a second. `mailbox` and `processes` leak.
-module(turns).
-export([main/1]).

main([Kind]) ->
    ets:new(cache, [named_table, ordered_set]),
    Idle = spawn(fun() -> receive never -> ok end end),
    turn(Kind, Idle, 1).

turn(Kind, Idle, N) ->
    _Scratch = [block(8000) || _ <- lists:seq(1, 30)],
    work(Kind, Idle, N),
    timer:sleep(rand:uniform(100)),
    turn(Kind, Idle, N + 1).

work("cache", _, N) ->                % a table of 1,200 rows: full after a minute
    ets:insert(cache, {N, lists:seq(1, 1000 + rand:uniform(3000))}),
    N > 1200 andalso ets:delete(cache, ets:first(cache));
work("sessions", _, _) ->             % processes that live for ten seconds
    spawn(fun() -> Own = [block(20000), lists:seq(1, 5000)], timer:sleep(10000), length(Own) end);
work("mailbox", Idle, N) ->           % messages that nobody reads
    Idle ! {N, lists:seq(1, 300 + rand:uniform(1200))};
work("processes", _, N) ->            % each visitor's, which waits for ever; for 15 of 30 s nobody comes
    N rem 600 > 300 andalso spawn(fun() -> Own = lists:seq(1, 2500), receive never -> length(Own) end end).

block(About) -> binary:copy(<<1>>, About div 2 + rand:uniform(About)).
