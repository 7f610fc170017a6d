SELECT to_date('29 Feb 2024', 'DD Mon YYYY') FROM t
