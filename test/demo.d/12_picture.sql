-- The same workflow as a picture, for the wiki
\i test/demo.d/style
\pset tuples_only on
\pset format unaligned

SELECT oms.to_mermaid(compiled) FROM shop.workflows WHERE name = 'ship';

\set ECHO none
DO $$ BEGIN
	ASSERT (SELECT oms.to_mermaid(compiled) LIKE 'stateDiagram%gift_wrapping%' FROM shop.workflows WHERE name = 'ship'),
		'the picture does not show the workflow';
END $$;
